package config

import (
	"reflect"
	"strings"
)

// Variable describes one variable of the environment.
type Variable struct {
	Name     string
	Default  string
	Accepted string
	Secret   bool // can be given as NAME_FILE, is never shown
	field    string
}

// Variables lists every variable in the order of the documentation.
func Variables() []Variable { return variables() }

func variables() []Variable {
	t := reflect.TypeFor[Config]()
	list := make([]Variable, 0, t.NumField())
	for f := range t.Fields() {
		list = append(list, Variable{
			Name:     f.Tag.Get("env"),
			Default:  f.Tag.Get("envDefault"),
			Accepted: f.Tag.Get("accept"),
			Secret:   f.Type == reflect.TypeFor[Secret]() || f.Type == reflect.TypeFor[Secrets](),
			field:    f.Name,
		})
	}
	return list
}

// variableOf finds a variable by its environment name or by its field's name.
func variableOf(name string) Variable {
	for _, v := range variables() {
		if v.Name == name || v.field == name {
			return v
		}
	}
	return Variable{Name: name}
}

// problem says what is wrong with the value in vars without showing a secret.
func (v Variable) problem(vars map[string]string, reason string) Problem {
	p := Problem{Name: v.Name, Reason: reason, Accepted: v.Accepted}
	if !v.Secret {
		p.Given = shown(vars[v.Name])
	}
	return p
}

// shown drops what may be a password from an address that somebody wrote into the wrong variable.
func shown(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	if ok && strings.ContainsAny(rest, "@?") {
		return scheme + "://…"
	}
	return value
}
