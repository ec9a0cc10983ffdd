// Checks custom resources (JSON on standard input) against the schemas of requirements/custom-resources; prints a fault per
// line, and exits with 1 if there is one.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const PACKAGES = {
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};
let faults = 0;
for (const made of JSON.parse(readFileSync(0, "utf8"))) {
  const [group, version] = made.apiVersion.split("/");
  const folder = `${process.argv[2]}/node_modules/@kubernetes-models/${PACKAGES[group]}`;
  const module = await import(pathToFileURL(`${folder}/${group}/${version}/${made.kind}.js`));
  try {
    new module[made.kind](made).validate();
  } catch (error) {
    faults += 1;
    console.log(`${made.kind} ${made.metadata.name}: ${error.message}`);
  }
}
process.exit(faults ? 1 : 0);
