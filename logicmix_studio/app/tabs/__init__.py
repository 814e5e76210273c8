"""One module a tab: it lays its components out, then wires them."""
