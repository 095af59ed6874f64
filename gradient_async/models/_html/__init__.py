"""How results look in notebooks. Loaded when a notebook shows the first one."""
