"""How often one may push or fail, counted over all worker processes."""
