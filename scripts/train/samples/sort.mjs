// Sorts Sonic Pi's samples into folders, a class each, for recipe.toml to train on: FOLDER/<class>/<sample>.flac.
//
//     cd scripts/train/samples && npm ci && node sort.mjs FOLDER
//
// The samples (npm supersonic-scsynth-samples 0.84.2, FLAC) are in the public domain under CC0 1.0; PROVENANCE.md in the
// package names where each comes from.

import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// By the first word of their names; what is not here is loops, noises of vinyl and the like.
const classes = {
  bass: "Bass",
  bd: "Kick",
  drum: "Drum",
  elec: "Electronic",
  hat: "Hat",
  perc: "Percussion",
  sn: "Snare",
  tabla: "Tabla",
};
const [folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node sort.mjs FOLDER");
  process.exit(2);
}
const samples = join(dirname(fileURLToPath(import.meta.resolve("supersonic-scsynth-samples"))), "samples");
for (const name of readdirSync(samples).filter((name) => name.endsWith(".flac"))) {
  const into = classes[name.split("_")[0]];
  if (!into) continue;
  mkdirSync(join(folder, into), { recursive: true });
  copyFileSync(join(samples, name), join(folder, into, name));
}
