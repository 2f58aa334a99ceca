"""Training stand-alone networks: tables measured on this machine."""
