package web

import (
	"fmt"
	"slices"
	"text/template/parse"
)

// checkCalls walks a template and holds the literal arguments of our own
// components against what exists, so that a misspelt option or icon is found by a
// test and not by a person in the middle of something.
func checkCalls(node parse.Node) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		return checkEach(n.Nodes)
	case *parse.ActionNode:
		return checkCalls(n.Pipe)
	case *parse.IfNode:
		return checkBranch(&n.BranchNode)
	case *parse.RangeNode:
		return checkBranch(&n.BranchNode)
	case *parse.WithNode:
		return checkBranch(&n.BranchNode)
	case *parse.TemplateNode:
		return checkCalls(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, cmd := range n.Cmds {
			if err := checkCommand(cmd); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkEach(nodes []parse.Node) error {
	for _, n := range nodes {
		if err := checkCalls(n); err != nil {
			return err
		}
	}
	return nil
}

func checkBranch(b *parse.BranchNode) error {
	return checkEach([]parse.Node{b.Pipe, b.List, b.ElseList})
}

func checkCommand(cmd *parse.CommandNode) error {
	if err := checkEach(cmd.Args); err != nil {
		return err
	}
	fn, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		return nil
	}
	if fn.Ident == "icon" && len(cmd.Args) > 1 {
		if s, ok := cmd.Args[1].(*parse.StringNode); ok && icons[s.Text] == "" {
			return fmt.Errorf("no icon %q", s.Text)
		}
	}
	fixed, ok := optionsAfter[fn.Ident]
	if !ok {
		return nil
	}
	args := cmd.Args[1:]
	if len(args) < fixed || (len(args)-fixed)%2 != 0 {
		return fmt.Errorf("%s takes %d values and then pairs of option and value: %s", fn.Ident, fixed, cmd)
	}
	for i := fixed; i < len(args); i += 2 {
		if s, ok := args[i].(*parse.StringNode); ok && !slices.Contains(fieldOptions, s.Text) {
			return fmt.Errorf("%s has no option %q", fn.Ident, s.Text)
		}
	}
	return nil
}
