"""What faust-streaming 0.15.3 needs to keep our promises. The only package, with `app`, that may know Faust."""
