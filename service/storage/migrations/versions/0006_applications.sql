-- Filled by the release that brings it.
SELECT 1;
