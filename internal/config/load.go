package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// DotEnv is the file beside the program that fills in what the environment leaves open.
const DotEnv = ".env"

// fileSuffix makes the name of a secret's twin, which holds the path of a file with the value.
const fileSuffix = "_FILE"

// Environ returns the environment of this process.
func Environ() map[string]string { return env.ToMap(os.Environ()) }

// Load reads the configuration out of environ and out of the file dotenv; what environ sets, be it empty, wins over
// the file. An empty path or a missing file is no fault. A configuration that will not do gives an *InvalidError with
// every problem.
func Load(environ map[string]string, dotenv string) (Config, error) {
	vars, problems := merge(environ, dotenv)
	problems = append(problems, readSecretFiles(vars)...)

	var c Config
	problems = append(problems, parse(&c, vars)...)
	problems = append(problems, c.check(vars, problems)...)
	if len(problems) > 0 {
		sortProblems(problems)
		return Config{}, &InvalidError{Problems: problems}
	}
	c.fillIn()
	return c, nil
}

// merge lays the environment over the file.
func merge(environ map[string]string, dotenv string) (map[string]string, []Problem) {
	vars := map[string]string{}
	var problems []Problem
	if dotenv != "" {
		file, problem := readDotEnv(dotenv)
		if problem != nil {
			problems = append(problems, *problem)
		}
		maps.Copy(vars, file)
	}
	maps.Copy(vars, environ)
	return vars, problems
}

// readDotEnv never repeats what the parser says, because that quotes the file, and the file holds secrets.
func readDotEnv(path string) (map[string]string, *Problem) {
	b, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &Problem{Name: path, Reason: "cannot be read", Accepted: "a file with lines of NAME=value"}
	}
	vars, err := godotenv.UnmarshalBytes(b)
	if err != nil {
		reason := fmt.Sprintf("line %d cannot be understood", faultyLine(string(b)))
		return nil, &Problem{Name: path, Reason: reason, Accepted: "lines of NAME=value, values with blanks or $ in single quotes"}
	}
	return vars, nil
}

// faultyLine is the line after the longest beginning of the text that parses: values may span lines, so a fault shows
// only in the whole.
func faultyLine(text string) int {
	lines := strings.Split(text, "\n")
	for n := len(lines) - 1; n > 0; n-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:n], "\n")); err == nil {
			return n + 1
		}
	}
	return 1
}

// readSecretFiles replaces each NAME_FILE of a secret by NAME with what the file holds.
func readSecretFiles(vars map[string]string) []Problem {
	var problems []Problem
	for _, v := range variables() {
		name := v.Name + fileSuffix
		path := vars[name]
		if !v.Secret || path == "" {
			continue
		}
		if vars[v.Name] != "" {
			problems = append(problems, Problem{Name: name, Reason: "is set together with " + v.Name, Accepted: "one of the two"})
			continue
		}
		b, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
		value := strings.TrimSpace(string(b))
		if err != nil || value == "" {
			problems = append(problems, Problem{Name: name, Given: path, Reason: "cannot be read or is empty", Accepted: "a file that holds the value of " + v.Name})
			continue
		}
		vars[v.Name] = value
	}
	return problems
}

// parse fills c and turns each fault of the parser into a problem in the operator's words.
func parse(c *Config, vars map[string]string) []Problem {
	trimmed := make(map[string]string, len(vars))
	for name, value := range vars {
		trimmed[name] = strings.TrimSpace(value)
	}
	err := env.ParseWithOptions(c, env.Options{Environment: trimmed})
	if err == nil {
		return nil
	}
	aggregate, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return []Problem{{Name: "configuration", Reason: "cannot be read"}}
	}
	var problems []Problem
	for _, e := range aggregate.Errors {
		if p, ok := errors.AsType[env.ParseError](e); ok {
			problems = append(problems, variableOf(p.Name).problem(vars, ""))
			continue
		}
		problems = append(problems, Problem{Name: "configuration", Reason: e.Error()})
	}
	return problems
}

// sortProblems puts problems into the order of the struct, those of files first.
func sortProblems(problems []Problem) {
	order := map[string]int{}
	for i, v := range variables() {
		order[v.Name] = i + 1
		order[v.Name+fileSuffix] = i + 1
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return order[a.Name] - order[b.Name] })
}
