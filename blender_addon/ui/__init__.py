"""What the user sees: properties, panels, presets, preferences, the beat overlay, operators."""
