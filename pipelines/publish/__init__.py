"""Published products: extracts, data package, page and release."""
