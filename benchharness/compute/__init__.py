"""Where searches run: processes, devices, threads, and what watches over them."""
