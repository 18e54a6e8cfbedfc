package main

import (
	"fmt"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func importUndoCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "undo ID",
		Short: "Take an import back",
		Long: "Erases the leads that the import brought and that nobody has touched or judged since, and gives others back what they\n" +
			"were. What is left as it is, is named with the reason. An interrupted undoing goes on when it is asked for again.",
		Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			v := importView{Import: store.Import{ID: growth.ImportID(args[0]), State: store.ImportUndoing}}
			for v.State == store.ImportUndoing {
				if v, err = api.importStep(cmd.Context(), v.ID, "undo", nil); err != nil {
					return err
				}
			}
			if f.json {
				if err := writeJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			} else {
				undone(cmd, v)
			}
			return undoCode(v)
		},
	}
}

func undone(cmd *cobra.Command, v importView) {
	w := cmd.OutOrStdout()
	say(w, "%s erased, %s given back what they were, %s left as they are", plural(v.Erased, "lead"), count(v.Restored), count(v.Kept))
	var lines []string
	for _, k := range v.KeptLeads {
		lines = append(lines, fmt.Sprintf("%s: %s", k.LeadID, k.Why))
	}
	list(w, "Left as they are:", lines)
}

func undoCode(v importView) error {
	switch {
	case v.Kept == 0:
		return nil
	case v.Erased+v.Restored == 0:
		return &codedError{code: exitNothing}
	}
	return &codedError{code: exitPartial}
}
