"""SCIM 2.0 over HTTP (RFC 7644): paths, media types, bodies and headers. What they mean is the service's business."""
