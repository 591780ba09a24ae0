"""What only making and judging models needs; no part of the extension: studio, loaders, metrics, evaluation, demo."""
