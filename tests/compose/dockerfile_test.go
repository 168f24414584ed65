// The Dockerfile as BuildKit reads it. That its commands work is shown by ../package/test_image.py.
package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/dockerignore"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
)

func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	file, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tree, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range tree.Warnings {
		t.Error(warning.Short)
	}
	found, _, err := instructions.Parse(tree.AST)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTwoStages(t *testing.T) {
	found := stages(t)
	if len(found) != 2 || found[0].BaseName != "debian:13" || found[1].BaseName != "debian:13-slim" {
		t.Fatalf("stages: %v", found)
	}
}

// Every source is in the tree, and not left out of the build context.
func TestSourcesOfCopies(t *testing.T) {
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	patterns, err := dockerignore.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	copies := 0
	for _, stage := range stages(t) {
		for _, command := range stage.Commands {
			instruction, is := command.(*instructions.CopyCommand)
			if !is || instruction.From != "" {
				continue
			}
			for _, source := range instruction.SourcePaths {
				copies++
				source = strings.TrimSuffix(source, "/")
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Error(err)
				}
				if out, err := ignored.MatchesOrParentMatches(source); err != nil || out {
					t.Errorf("%s is ignored (%v)", source, err)
				}
			}
		}
	}
	if copies == 0 {
		t.Error("nothing is copied")
	}
	for _, name := range []string{".git", "build", ".run", "tests", "docs"} {
		if out, err := ignored.MatchesOrParentMatches(name); err != nil || !out {
			t.Errorf("%s is in the build context (%v)", name, err)
		}
	}
}

// What linters of Dockerfiles ask for.
func TestRulesOfTheTrade(t *testing.T) {
	installs := 0
	for _, stage := range stages(t) {
		for _, each := range stage.Commands {
			switch instruction := each.(type) {
			case *instructions.RunCommand:
				text := strings.Join(instruction.CmdLine, " ")
				if !strings.Contains(text, "apt-get install") {
					continue
				}
				installs++
				for _, part := range []string{"apt-get update", "install -y --no-install-recommends",
					"rm -rf /var/lib/apt/lists/*"} {
					if !strings.Contains(text, part) {
						t.Errorf("%s without %s", text, part)
					}
				}
			case *instructions.WorkdirCommand:
				if !strings.HasPrefix(instruction.Path, "/") {
					t.Errorf("WORKDIR %s", instruction.Path)
				}
			case *instructions.AddCommand:
				t.Error("ADD unpacks and downloads: COPY does what is meant")
			case *instructions.HealthCheckCommand:
				if instruction.Health.Test[0] != "CMD" {
					t.Error("the health check needs a shell")
				}
			case *instructions.StopSignalCommand:
				if instruction.Signal != "SIGTERM" {
					t.Errorf("STOPSIGNAL %s", instruction.Signal)
				}
			case *instructions.CmdCommand:
				if instruction.PrependShell {
					t.Error("CMD in a shell")
				}
			}
		}
	}
	if installs != 2 {
		t.Errorf("%d installations were looked at", installs)
	}
}

func TestThePictureOfTheImage(t *testing.T) {
	last := stages(t)[1]
	user, health := "", ""
	var entry, command []string
	for _, each := range last.Commands {
		switch instruction := each.(type) {
		case *instructions.UserCommand:
			user = instruction.User
		case *instructions.HealthCheckCommand:
			health = strings.Join(instruction.Health.Test, " ")
		case *instructions.EntrypointCommand:
			entry = instruction.CmdLine
			if instruction.PrependShell {
				t.Error("a shell stands between signals and the program")
			}
		case *instructions.CmdCommand:
			command = instruction.CmdLine
		}
	}
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("runs as %q: Kubernetes can only tell of a number that it is not root", user)
	}
	if !strings.Contains(health, "/healthz") {
		t.Errorf("health check: %q", health)
	}
	if len(entry) != 1 || entry[0] != "orderflow" || len(command) != 1 || command[0] != "help" {
		t.Errorf("runs %v %v", entry, command)
	}
}
