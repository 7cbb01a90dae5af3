"""The description of this API in OpenAPI 3.1: schemas, operations, and the document made of both."""
