// docker-compose.yml as the compose specification reads it, and what the README and the other tests rely on.
package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/loader"
	"github.com/compose-spec/compose-go/types"
)

const root = "../.."

func load(t *testing.T) *types.Project {
	t.Helper()
	path := filepath.Join(root, "docker-compose.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Schema, references between services and volumes, interpolation: anything wrong is an error.
	project, err := loader.Load(types.ConfigDetails{
		WorkingDir:  root,
		ConfigFiles: []types.ConfigFile{{Filename: path, Content: text}},
		Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func service(t *testing.T, name string) types.ServiceConfig {
	t.Helper()
	found, err := load(t).GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func variable(t *testing.T, s types.ServiceConfig, name string) string {
	t.Helper()
	value, found := s.Environment[name]
	if !found || value == nil {
		t.Fatalf("%s: no variable %s", s.Name, name)
	}
	return *value
}

func TestItHoldsWhatItIsFor(t *testing.T) {
	project := load(t)
	if got := strings.Join(project.ServiceNames(), " "); got != "kafka pipeline producer registry" {
		t.Errorf("services: %s", got)
	}
	for _, s := range project.Services {
		if s.Restart == "" {
			t.Errorf("%s has no restart policy", s.Name)
		}
		if s.Build == nil && !strings.Contains(s.Image, ":") {
			t.Errorf("%s: image %s without a version", s.Name, s.Image)
		}
		if strings.Contains(s.Image, "zookeeper") {
			t.Errorf("%s needs ZooKeeper", s.Name)
		}
	}
}

// Nobody starts before what it needs is healthy, and whatever is waited for says when it is.
func TestStartOrder(t *testing.T) {
	needs := map[string][]string{
		"kafka":    {},
		"registry": {"kafka"},
		"producer": {"kafka", "registry"},
		"pipeline": {"kafka", "registry"},
	}
	for name, wanted := range needs {
		s := service(t, name)
		if len(s.DependsOn) != len(wanted) {
			t.Errorf("%s depends on %v, not on %v", name, s.DependsOn, wanted)
		}
		for _, other := range wanted {
			if s.DependsOn[other].Condition != types.ServiceConditionHealthy {
				t.Errorf("%s does not wait until %s is healthy", name, other)
			}
			check := service(t, other).HealthCheck
			if check == nil || check.Disable || len(check.Test) < 2 || check.Test[0] != "CMD" || check.Interval == nil {
				t.Errorf("%s has no health check", other)
			}
		}
	}
}

// The image's own check asks for health over HTTP: right for the pipeline, wrong for the producer.
func TestHealthOfTheProgram(t *testing.T) {
	if check := service(t, "producer").HealthCheck; check == nil || !check.Disable {
		t.Error("the producer inherits a health check that it cannot pass")
	}
	s := service(t, "pipeline")
	_, port, _ := strings.Cut(variable(t, s, "ORDERFLOW_HTTP"), ":")
	asks := s.HealthCheck.Test[len(s.HealthCheck.Test)-1]
	if asks != "http://127.0.0.1:"+port+"/readyz" {
		t.Errorf("health is served at port %s and asked for at %s", port, asks)
	}
}

func TestPorts(t *testing.T) {
	for name, port := range map[string]string{"kafka": "9092", "registry": "8081", "pipeline": "8080"} {
		ports := service(t, name).Ports
		if len(ports) != 1 || ports[0].Published != port || ports[0].HostIP != "127.0.0.1" {
			t.Errorf("%s publishes %v, not 127.0.0.1:%s", name, ports, port)
		}
	}
}

// What each side connects to is advertised to it, and listened at.
func TestListeners(t *testing.T) {
	kafka := service(t, "kafka")
	listens := map[string]string{}
	for _, pair := range strings.Split(variable(t, kafka, "KAFKA_LISTENERS"), ",") {
		name, address, _ := strings.Cut(pair, "://")
		listens[name] = address
	}
	advertised := map[string]string{}
	for _, pair := range strings.Split(variable(t, kafka, "KAFKA_ADVERTISED_LISTENERS"), ",") {
		name, address, _ := strings.Cut(pair, "://")
		advertised[address] = name
	}
	for _, address := range []string{
		"localhost:9092",
		variable(t, service(t, "producer"), "ORDERFLOW_BROKERS"),
		variable(t, service(t, "pipeline"), "ORDERFLOW_BROKERS"),
		variable(t, service(t, "registry"), "SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS"),
	} {
		_, port, _ := strings.Cut(address, ":")
		if name, found := advertised[address]; !found || listens[name] != ":"+port {
			t.Errorf("%s is not a listener of Kafka: %v, %v", address, advertised, listens)
		}
	}
	for name := range listens {
		if !strings.Contains(variable(t, kafka, "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"), name+":") {
			t.Errorf("listener %s has no protocol", name)
		}
	}
}

// Orders survive `docker compose down`.
func TestVolumes(t *testing.T) {
	project := load(t)
	kafka := service(t, "kafka")
	if len(kafka.Volumes) != 1 || kafka.Volumes[0].Type != types.VolumeTypeVolume {
		t.Fatalf("volumes of kafka: %v", kafka.Volumes)
	}
	if _, found := project.Volumes[kafka.Volumes[0].Source]; !found {
		t.Errorf("volume %s is not named", kafka.Volumes[0].Source)
	}
	if kafka.Volumes[0].Target != variable(t, kafka, "KAFKA_LOG_DIRS") {
		t.Error("Kafka does not write to its volume")
	}
}

// Longer than the ten seconds that the pipeline takes to drain, and what it takes to leave the group.
func TestThePipelineMayDrain(t *testing.T) {
	grace := service(t, "pipeline").StopGracePeriod
	if grace == nil || time.Duration(*grace) < 25*time.Second {
		t.Errorf("stop_grace_period is %v", grace)
	}
}
