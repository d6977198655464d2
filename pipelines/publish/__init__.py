"""Published products: extracts, data package, site and release."""
