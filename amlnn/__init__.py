"""Fine-tune image classifiers and train recurrent forecasters from small config files."""

__version__ = '0.1.0'
