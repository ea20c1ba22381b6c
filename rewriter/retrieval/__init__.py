"""Stage of retrieval: the bi-encoder, and the personal and global indexes it searches."""
