//! `atelier models`: the models that came with the studio.

use serde::Serialize;

use super::{Output, Result};
use crate::{
    Lang,
    catalogue::{self, Model},
};

/// List the models that came with Atelier
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON array on stdout
    #[arg(long)]
    json: bool,
}

/// What scripts are told of a model.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    kind: &'a str,
    family: &'a str,
    licence: &'a str,
    size_bytes: u64,
    source: &'a str,
}

pub(super) fn run(args: &Args, out: &mut Output<'_>) -> Result {
    let models = catalogue::bundled();
    if args.json {
        return out.json(&models.iter().map(row).collect::<Vec<_>>());
    }
    if models.is_empty() {
        out.note(out.lang().pick("No models came with this copy.", "当前没有自带模型。"));
    }
    for line in table(&models, out.lang()) {
        out.line(&line)?;
    }
    Ok(())
}

fn row(model: &Model) -> Row<'_> {
    let Model { name, kind, family, licence, size_bytes, source, .. } = model;
    Row { name, kind, family, licence, size_bytes: *size_bytes, source }
}

/// A line a model, in columns as wide as they must be; why a model cannot be run stands under it.
fn table(models: &[Model], lang: Lang) -> Vec<String> {
    let cells = |model: &Model| {
        let Model { name, kind, family, quantisation, licence, size_bytes, .. } = model;
        let megabytes = format!("{} MB", size_bytes.div_ceil(1_000_000));
        [name.clone(), (*kind).to_owned(), family.clone(), quantisation.clone(), megabytes, licence.clone()]
    };
    let rows: Vec<_> = models.iter().map(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut lines = Vec::new();
    for (row, model) in rows.iter().zip(models) {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        lines.push(padded.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        lines.extend(model.unusable.as_ref().map(|why| format!("  {}", why.text(lang))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_reasons_stand_under_their_model() {
        let model = |name: &str, size_bytes, unusable: Option<crate::Error>| Model {
            name: name.to_owned(),
            title: String::new(),
            title_zh: String::new(),
            kind: "text",
            words: Vec::new(),
            classes: Vec::new(),
            family: "llama".to_owned(),
            quantisation: "Q4_1".to_owned(),
            parameters: 1,
            licence: "MIT".to_owned(),
            licence_text: String::new(),
            size_bytes,
            memory_bytes: 1,
            source: "here".to_owned(),
            path: "a.gguf".into(),
            bundled: true,
            unusable,
        };
        let broken = crate::Error::new("It is cut short.", "文件不完整。");
        let models = [model("a", 1, None), model("longer", 98_362_432, Some(broken))];
        let want =
            ["a       text  llama  Q4_1  1 MB   MIT", "longer  text  llama  Q4_1  99 MB  MIT", "  It is cut short."];
        assert_eq!(table(&models, Lang::En), want);
    }
}
