// pprofs answers many pprof command lines in one process: starting pprof takes
// far longer than what it prints of a small profile.  The code that answers is
// pprof's own driver, of the version that go.mod pins.
//
// A line of standard input is a command line, as a JSON array of words.  Each is
// answered by one JSON object: status, and out and err in base64.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/pprof/driver"
)

type answer struct {
	Status int    `json:"status"`
	Out    []byte `json:"out"`
	Err    []byte `json:"err"`
}

// pprof keeps the options of one run as the defaults of the next.  These are
// the defaults of the first.
var defaults = map[string]interface{}{}

func first(name string, def interface{}) interface{} {
	if old, ok := defaults[name]; ok {
		return old
	}
	defaults[name] = def
	return def
}

const captured = "standard output"

// flags is a driver.FlagSet over words that are not the program's own.
type flags struct {
	*flag.FlagSet
	words  []string
	output *string
	bad    error
}

func (f *flags) Bool(name string, def bool, usage string) *bool {
	return f.FlagSet.Bool(name, first(name, def).(bool), usage)
}

func (f *flags) Int(name string, def int, usage string) *int {
	return f.FlagSet.Int(name, first(name, def).(int), usage)
}

func (f *flags) Float64(name string, def float64, usage string) *float64 {
	return f.FlagSet.Float64(name, first(name, def).(float64), usage)
}

func (f *flags) String(name, def, usage string) *string {
	value := f.FlagSet.String(name, first(name, def).(string), usage)
	if name == "output" {
		f.output = value
	}
	return value
}

func (f *flags) StringList(name, def, usage string) *[]*string {
	return &[]*string{f.String(name, def, usage)}
}

func (f *flags) ExtraUsage() string     { return "" }
func (f *flags) AddExtraUsage(_ string) {}

func (f *flags) Parse(_ func()) []string {
	if f.bad = f.FlagSet.Parse(f.words); f.bad != nil {
		return nil
	}
	if *f.output == "" {
		*f.output = captured
	}
	f.choose("flat", "cum")
	f.choose("functions", "filefunctions", "files", "lines", "addresses")
	return f.Args()
}

// choose sets the first of options that exclude each other, if none is set.
func (f *flags) choose(def string, others ...string) {
	for _, name := range append(others, def) {
		if f.Lookup(name).Value.String() == "true" {
			return
		}
	}
	f.Set(def, "true")
}

// files is a driver.Writer: what has no name is kept.
type files struct{ out *bytes.Buffer }

type kept struct{ *bytes.Buffer }

func (kept) Close() error { return nil }

func (f files) Open(name string) (io.WriteCloser, error) {
	if name == captured {
		return kept{f.out}, nil
	}
	return os.Create(name)
}

// ui is a driver.UI that nobody sits at.
type ui struct{ err *bytes.Buffer }

func (ui) ReadLine(string) (string, error)       { return "", io.EOF }
func (u ui) Print(args ...interface{})           { fmt.Fprintln(u.err, args...) }
func (u ui) PrintErr(args ...interface{})        { fmt.Fprintln(u.err, args...) }
func (ui) IsTerminal() bool                      { return false }
func (ui) WantBrowser() bool                     { return false }
func (ui) SetAutoComplete(_ func(string) string) {}

func run(words []string) (a answer) {
	var out, said bytes.Buffer
	set := flag.NewFlagSet("pprof", flag.ContinueOnError)
	set.SetOutput(&said)
	f := &flags{FlagSet: set, words: words}
	defer func() {
		if p := recover(); p != nil {
			a = answer{2, nil, []byte(fmt.Sprintln("panic:", p))}
		}
	}()
	err := driver.PProf(&driver.Options{Flagset: f, Writer: files{&out},
		UI: ui{&said}})
	if f.bad != nil {
		err = f.bad
	}
	if err != nil {
		fmt.Fprintln(&said, "pprof:", err)
		return answer{2, out.Bytes(), said.Bytes()}
	}
	return answer{0, out.Bytes(), said.Bytes()}
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		var words []string
		if err := json.Unmarshal(line, &words); err != nil {
			fmt.Fprintln(os.Stderr, "pprofs:", err)
			os.Exit(2)
		}
		if err := out.Encode(run(words)); err != nil {
			os.Exit(1)
		}
	}
}
