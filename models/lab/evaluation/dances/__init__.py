"""Any dance corpus or a folder of one's own pairs: music made to its motion, scored in every published form."""
