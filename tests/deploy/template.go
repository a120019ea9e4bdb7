// Renders a chart as `helm template` does, for machines without helm: Go's templates with Sprig's functions (both
// are what helm itself uses, here from Debian's packages) and the few functions that helm adds to them.
// It never reads a cluster; subcharts, hooks and lookup are not there.
//
// Usage: template CHART RELEASE NAMESPACE [--values FILE] [--set NAME=JSON]... [--show templates/FILE]...
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type values = map[string]interface{}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "template:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("CHART RELEASE NAMESPACE are needed")
	}
	chart, release, namespace := args[0], args[1], args[2]
	about, err := read(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return err
	}
	settings, err := read(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	show := map[string]bool{}
	for rest := args[3:]; len(rest) >= 2; rest = rest[2:] {
		switch rest[0] {
		case "--values":
			more, err := read(rest[1])
			if err != nil {
				return err
			}
			merge(settings, more)
		case "--set":
			if err := set(settings, rest[1]); err != nil {
				return err
			}
		case "--show":
			show[rest[1]] = true
		default:
			return fmt.Errorf("unknown option %s", rest[0])
		}
	}
	// Keys of Chart.yaml begin with a capital letter in templates.
	chartValues := values{}
	for key, value := range about {
		chartValues[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return render(chart, show, values{
		"Values":  settings,
		"Chart":   chartValues,
		"Release": values{"Name": release, "Namespace": namespace, "Service": "Helm"},
		"Files":   files(chart),
	})
}

// The chart's other files, as templates see them.
type files string

func (chart files) Get(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(string(chart), name))
	return string(content), err
}

func read(path string) (values, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	read := values{}
	if err := yaml.UnmarshalStrict(content, &read); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return read, nil
}

// Maps are merged, everything else is replaced.
func merge(into, from values) {
	for key, value := range from {
		below, isMap := value.(values)
		old, wasMap := into[key].(values)
		if isMap && wasMap {
			merge(old, below)
		} else {
			into[key] = value
		}
	}
}

func set(into values, assignment string) error {
	name, text, found := strings.Cut(assignment, "=")
	if !found {
		return fmt.Errorf("--set %s: NAME=JSON is needed", assignment)
	}
	var value interface{}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("--set %s: %w", assignment, err)
	}
	keys := strings.Split(name, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		value = values{keys[i]: value}
	}
	merge(into, value.(values))
	return nil
}

func render(chart string, show map[string]bool, data values) error {
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		return err
	}
	sort.Strings(paths)
	all := template.New("").Option("missingkey=zero")
	all.Funcs(functions(all))
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := all.New("templates/" + filepath.Base(path)).Parse(string(content)); err != nil {
			return err
		}
	}
	for _, path := range paths {
		name := "templates/" + filepath.Base(path)
		if !strings.HasSuffix(name, ".yaml") || (len(show) > 0 && !show[name]) {
			continue
		}
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, data); err != nil {
			return err
		}
		// What helm does about keys that are missing.
		text := strings.ReplaceAll(out.String(), "<no value>", "")
		if strings.TrimSpace(text) == "" {
			continue
		}
		var parsed interface{}
		if err := yaml.UnmarshalStrict([]byte(text), &parsed); err != nil {
			return fmt.Errorf("%s makes no YAML: %w\n%s", name, err, text)
		}
		fmt.Printf("---\n# Source: ringboot/%s\n%s\n", name, strings.TrimSpace(text))
	}
	return nil
}

// Sprig's functions without those that helm takes away, and helm's own.
func functions(all *template.Template) template.FuncMap {
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	functions["required"] = func(warning string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(warning)
		}
		return value, nil
	}
	functions["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	functions["fromJson"] = func(text string) (interface{}, error) {
		var value interface{}
		err := json.Unmarshal([]byte(text), &value)
		return value, err
	}
	return functions
}
