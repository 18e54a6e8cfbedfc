package store

// SetMaxMedia bounds the pictures of a workspace to so many bytes.
func SetMaxMedia(s *Store, n int64) { s.maxMedia = n }
