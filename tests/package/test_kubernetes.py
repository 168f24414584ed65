"""The manifests for Kubernetes: by the schemas of several versions of its API, and against what the program says.

What a rolling update does is shown on a real broker: tests/broker/test_rolling_update.py."""
import os
import pathlib
import re
import shutil
import site
import subprocess
import sys
import unittest

from surroundings import PROGRAM, ROOT, main, output

FOLDER = ROOT / "etc" / "kubernetes"
RUN = pathlib.Path(os.environ.get("ORDERFLOW_RUN_DIR", ROOT / ".run"))
PACKAGES = RUN / f"python-kubernetes-{sys.version_info.major}.{sys.version_info.minor}"
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
NOT_OBJECTS = {"kustomization.yaml"}    # read by kubectl itself, no object of the API


def use_packages():
    """requirements.txt in an environment of its own, installed once; the schemas come with it."""
    stamp = PACKAGES / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != REQUIREMENTS.read_bytes():
        shutil.rmtree(PACKAGES, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", PACKAGES], check=True)
        subprocess.run([PACKAGES / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--requirement", REQUIREMENTS], check=True)
        shutil.copy(REQUIREMENTS, stamp)
    site.addsitedir(str(next(PACKAGES.glob("lib/python*/site-packages"))))


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = {}
        for path in FOLDER.glob("*.yaml"):
            for found in yaml.safe_load_all(path.read_text()):
                cls.objects[found["kind"]] = found
        cls.stateful = cls.objects["StatefulSet"]["spec"]
        cls.pod = cls.stateful["template"]["spec"]
        cls.container, = cls.pod["containers"]
        cls.config = cls.objects["ConfigMap"]["data"]["orderflow.conf"]

    def test_schemas(self):
        minors = sorted({kubernetes_validate.utils.major_minor(version)
                         for version in kubernetes_validate.utils.all_versions()},
                        key=lambda version: [int(part) for part in version.split(".")])
        self.assertGreater(len(minors), 10)
        chosen = minors[-10:]
        checked = 0
        for path in FOLDER.glob("*.yaml"):
            if path.name in NOT_OBJECTS:
                continue
            for found in yaml.safe_load_all(path.read_text()):
                for version in chosen:
                    kubernetes_validate.validate(found, version, strict=True)
                    checked += 1
        self.assertEqual(checked, 5 * len(chosen))

    def test_a_mistake_would_be_seen(self):
        text = (FOLDER / "statefulset.yaml").read_text()
        for right, wrong in (("replicas: 3", "replicas: three"), ("serviceName:", "servicename:")):
            with self.assertRaises(Exception):
                kubernetes_validate.validate(yaml.safe_load(text.replace(right, wrong)),
                                             kubernetes_validate.latest_version(), strict=True)

    def test_kustomization_names_them(self):
        names = set(self.objects["Kustomization"]["resources"])
        self.assertEqual(names, {path.name for path in FOLDER.glob("*.yaml")} - NOT_OBJECTS - {"secret.example.yaml"})

    # --- they belong together ---------------------------------------------------------------------------------------

    def test_selectors_find_the_pods(self):
        labels = self.stateful["template"]["metadata"]["labels"].items()
        selectors = [self.stateful["selector"]["matchLabels"], self.objects["Service"]["spec"]["selector"],
                     self.objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]]
        for selector in selectors:
            self.assertLessEqual(selector.items(), labels)
        self.assertEqual(self.stateful["serviceName"], self.objects["Service"]["metadata"]["name"])

    def test_volumes_and_names(self):
        mounted = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        self.assertEqual(set(mounted), set(volumes))
        self.assertEqual(volumes["configuration"]["configMap"]["name"], self.objects["ConfigMap"]["metadata"]["name"])
        self.assertEqual(self.container["envFrom"][0]["secretRef"]["name"], self.objects["Secret"]["metadata"]["name"])
        image = re.search(r"^ENV ORDERFLOW_CONFIG=(\S+)$", (ROOT / "Dockerfile").read_text(), re.M).group(1)
        self.assertEqual(image, f"{mounted['configuration']}/orderflow.conf", "what the image reads")

    def test_the_user_is_that_of_the_image(self):
        user, group = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.M).groups()
        context = self.pod["securityContext"]
        self.assertTrue(context["runAsNonRoot"])
        self.assertEqual((context["runAsUser"], context["runAsGroup"]), (int(user), int(group)))
        inside = self.container["securityContext"]
        self.assertFalse(inside["allowPrivilegeEscalation"])
        self.assertTrue(inside["readOnlyRootFilesystem"])
        self.assertEqual(inside["capabilities"]["drop"], ["ALL"])

    def test_the_version_is_that_of_the_tree(self):
        version = re.search(r"project\(orderflow VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(self.container["image"], f"orderflow:{version}")

    # --- the program understands them -------------------------------------------------------------------------------

    def configured(self):
        """What `orderflow config print` says of the container's arguments and files: {option: value}."""
        path = RUN / "kubernetes-orderflow.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.config)
        command, *arguments = self.container["args"]
        arguments = [argument.replace("$(POD_NAME)", "orderflow-0") for argument in arguments]
        text = output(PROGRAM, "config", "print", command, *arguments, "--config", path)
        path.unlink()
        return dict(re.findall(r"^  (\S+) +(\S+)  ", text, re.M))

    def test_arguments_and_file(self):
        found = self.configured()
        self.assertEqual(found["instance-id"], "orderflow-0")
        self.assertEqual(found["on-stop"], "stay")
        self.assertEqual(found["lock-folder"], "/run/orderflow")
        self.assertIn(found["registry-cache-dir"], [mount["mountPath"] for mount in self.container["volumeMounts"]])

    def test_names_come_from_the_pods(self):
        source, = [each for each in self.container["env"] if each["name"] == "POD_NAME"]
        self.assertEqual(source["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name")
        self.assertIn("--instance-id=$(POD_NAME)", self.container["args"])

    def test_variables_of_the_secret_are_options(self):
        known = output(PROGRAM, "config", "template")
        for name in self.objects["Secret"]["stringData"]:
            option = name.removeprefix("ORDERFLOW_").lower().replace("_", "-")
            self.assertRegex(known, rf"(?m)^#{option} =")

    def test_probes_ask_where_the_program_answers(self):
        port = self.configured()["http"].rpartition(":")[2]
        named = {each["name"]: each["containerPort"] for each in self.container["ports"]}
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            asked = self.container[probe]["httpGet"]
            self.assertEqual((asked["path"], named[asked["port"]]), (path, int(port)))
        self.assertEqual(named[self.objects["Service"]["spec"]["ports"][0]["targetPort"]], int(port))

    def test_there_is_time_to_stop_and_to_come_back(self):
        """Draining and leaving end before the pod is killed; a pod that took all of that is back within its session."""
        found = self.configured()
        grace = self.pod["terminationGracePeriodSeconds"]
        session = int(found["kafka.session.timeout.ms"]) / 1000
        self.assertGreater(grace, int(found["drain-timeout-ms"]) / 1000 + 15)
        self.assertGreater(session, 2 * grace)

    def test_an_update_goes_one_by_one(self):
        self.assertEqual(self.stateful["updateStrategy"]["type"], "RollingUpdate")
        self.assertEqual(self.objects["PodDisruptionBudget"]["spec"]["maxUnavailable"], 1)


if __name__ == "__main__":
    use_packages()
    import kubernetes_validate
    import yaml
    main()
