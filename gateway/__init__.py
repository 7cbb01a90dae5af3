"""The thin HTTP edge: every outside protocol in, protobuf messages out. Owns no state and never imports the service."""
