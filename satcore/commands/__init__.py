"""What the command line can do, a module a theme: each command's options stand right before what it does."""
