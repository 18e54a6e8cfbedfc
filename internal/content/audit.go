package content

import "strconv"

// auditShare is how many of a hundred machine approvals a person looks at afterwards.
const auditShare = 5

// InAudit says whether a text that a machine approved belongs to the sample. It depends on the text's hash alone, so
// nobody can try again until a text falls outside of it, and a repeated attempt decides alike.
func InAudit(hash string) bool {
	const digits = 8
	if len(hash) < digits {
		return true // no hash of ours: better looked at
	}
	n, err := strconv.ParseUint(hash[:digits], 16, 32)
	return err != nil || n%100 < auditShare
}
