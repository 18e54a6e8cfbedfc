package lead

// Harmless makes the cells of a row that is going to be opened in a spreadsheet mere text, in place: a cell that begins
// as a formula does gets an apostrophe before it, which spreadsheets do not show. An import takes it off again.
func Harmless(cells []string) []string {
	for i, c := range cells {
		if formula(c) {
			cells[i] = "'" + c
		}
	}
	return cells
}

// formula says whether a spreadsheet would compute a cell instead of showing it. Spreadsheets look behind blanks, too.
func formula(cell string) bool {
	for _, r := range cell {
		switch r {
		case '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠':
			return true
		case ' ', '\u00a0', '\ufeff', '\u200b':
			continue
		}
		return false
	}
	return false
}

// withoutApostrophe undoes what Harmless did to a cell.
func withoutApostrophe(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && formula(cell[1:]) {
		return cell[1:]
	}
	return cell
}
