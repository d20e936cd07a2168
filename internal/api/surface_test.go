package api

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// surface returns a line for everything that a package in dir exports: functions,
// methods, types, fields, constants and variables, in alphabetical order. It is that
// of Linux on x86-64, whatever the machine, from syntax alone.
func surface(dir, pkg string) ([]string, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled, ctx.BuildTags = "linux", "amd64", false, nil
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	s := &lister{pkg: pkg}
	for _, name := range names {
		ok, err := ctx.MatchFile(dir, filepath.Base(name))
		if err != nil {
			return nil, err
		}
		if !ok || strings.HasSuffix(name, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range tree.Decls {
			s.decl(d)
		}
	}
	slices.Sort(s.lines)
	return s.lines, nil
}

type lister struct {
	pkg   string
	lines []string
}

func (s *lister) add(format string, args ...any) {
	s.lines = append(s.lines, "pkg "+s.pkg+", "+fmt.Sprintf(format, args...))
}

func (s *lister) decl(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() {
			return
		}
		if d.Recv == nil {
			s.add("func %s%s", d.Name.Name, signature(d.Type))
		} else if r := d.Recv.List[0].Type; ast.IsExported(base(r)) {
			s.add("method (%s) %s%s", text(r), d.Name.Name, signature(d.Type))
		}
	case *ast.GenDecl:
		var typ ast.Expr // that of the constants above, where none is given
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					s.typ(spec)
				}
			case *ast.ValueSpec:
				if spec.Type != nil || len(spec.Values) > 0 {
					typ = spec.Type
				}
				s.values(d.Tok, spec, typ)
			}
		}
	}
}

func (s *lister) values(tok token.Token, spec *ast.ValueSpec, typ ast.Expr) {
	for i, n := range spec.Names {
		if !n.IsExported() {
			continue
		}
		line := tok.String() + " " + n.Name
		if typ != nil {
			line += " " + text(typ)
		}
		if tok == token.CONST && i < len(spec.Values) { // a constant's value is part of what is promised
			line += " = " + text(spec.Values[i])
		}
		s.add("%s", line)
	}
}

func (s *lister) typ(spec *ast.TypeSpec) {
	name := spec.Name.Name
	if spec.TypeParams != nil {
		name += "[" + fields(spec.TypeParams, ", ") + "]"
	}
	if spec.Assign.IsValid() {
		s.add("type %s = %s", name, text(spec.Type))
		return
	}
	switch t := spec.Type.(type) {
	case *ast.StructType:
		s.add("type %s struct", name)
		for _, f := range t.Fields.List {
			for _, n := range f.Names {
				if n.IsExported() {
					s.add("type %s struct, %s %s", name, n.Name, text(f.Type))
				}
			}
			if len(f.Names) == 0 && ast.IsExported(base(f.Type)) {
				s.add("type %s struct, embedded %s", name, text(f.Type))
			}
		}
	case *ast.InterfaceType:
		s.add("type %s interface", name)
		for _, f := range t.Methods.List {
			ft, isMethod := f.Type.(*ast.FuncType)
			switch {
			case !isMethod:
				s.add("type %s interface, %s", name, text(f.Type))
			case f.Names[0].IsExported():
				s.add("type %s interface, %s%s", name, f.Names[0].Name, signature(ft))
			default:
				s.add("type %s interface, unexported methods", name)
			}
		}
	default:
		s.add("type %s %s", name, text(t))
	}
}

// base is the name of the type of a receiver or an embedded field, without
// pointer, package and type arguments.
func base(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.IndexListExpr:
		return base(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// signature is a function's type without the names of its parameters, which may
// change.
func signature(t *ast.FuncType) string {
	s := ""
	if t.TypeParams != nil {
		s = "[" + fields(t.TypeParams, ", ") + "]"
	}
	s += "(" + types(t.Params) + ")"
	switch r := types(t.Results); {
	case r == "":
	case strings.Contains(r, ", ") && t.Results.NumFields() > 1:
		s += " (" + r + ")"
	default:
		s += " " + r
	}
	return s
}

func types(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var all []string
	for _, f := range list.List {
		for range max(1, len(f.Names)) {
			all = append(all, text(f.Type))
		}
	}
	return strings.Join(all, ", ")
}

func fields(list *ast.FieldList, sep string) string {
	var all []string
	for _, f := range list.List {
		for _, n := range f.Names {
			all = append(all, n.Name+" "+text(f.Type))
		}
	}
	return strings.Join(all, sep)
}

// text is an expression on one line. Functions within it keep the names of their
// parameters out.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.FuncType:
		return "func" + signature(e)
	case *ast.Ellipsis:
		return "..." + text(e.Elt)
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), e); err != nil {
		return err.Error() // to a buffer, of what was parsed: cannot be
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
