"""What Ganeti's nodes fetch: by signed URLs, without a token."""
