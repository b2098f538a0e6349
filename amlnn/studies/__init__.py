"""The five studies that amlnn reproduces, as data, and what runs them."""
