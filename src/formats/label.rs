//! The label of generated content that GB 45438-2025 asks for.

/// The value of the `AIGC` label: a JSON object. `id` names the output; its SHA-256 is a good one.
pub fn aigc(id: &str) -> String {
    let label = serde_json::json!({
        "Label": "1",
        "ContentProducer": "Atelier",
        "ProduceID": id,
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    });
    label.to_string()
}
