"""The page and all that is behind it; `launch` serves it."""
