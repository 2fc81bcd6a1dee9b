"""What people use: the command line, the page, and the page that runs in a browser."""
