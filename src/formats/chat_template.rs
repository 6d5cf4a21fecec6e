//! Chat templates: the Jinja text in a model's file that says how a conversation is written for it.
//!
//! Rendered as the `transformers` library does: blocks are trimmed, `raise_exception`, `strftime_now` and `tojson` exist,
//! `tools` and `documents` are none. A template gets a limited amount of work and memory, since it comes with a file from
//! anywhere.

use minijinja::{Environment, ErrorKind, Value, context, syntax::SyntaxConfig};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::Serialize as _;

use super::gguf::Metadata;
use crate::{
    Error, Result,
    generate::{ChatMessage, Role},
};

/// The chat template of a model.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    /// The template refuses or ignores system messages, so they go into the first message of the person.
    folds_system: bool,
}

const NAME: &str = "chat_template";
/// Steps of the template, or 64 bytes that it makes, before it is stopped.
const FUEL: u64 = 2_000_000;

impl ChatTemplate {
    /// The template of the model with this metadata; `None` when it has none.
    ///
    /// # Errors
    /// When the template is not valid Jinja.
    pub fn from_gguf(meta: &Metadata) -> Result<Option<Self>> {
        let Some(source) = meta.get_str("tokenizer.chat_template") else { return Ok(None) };
        let token = |key: &str| {
            let id = meta.get_u32(&format!("tokenizer.ggml.{key}_token_id"))?;
            meta.str_array("tokenizer.ggml.tokens")?.nth(id as usize)
        };
        Self::new(source, token("bos").unwrap_or_default(), token("eos").unwrap_or_default()).map(Some)
    }

    /// A template from its source and the texts of the tokens that begin and end a text.
    ///
    /// # Errors
    /// When the template is not valid Jinja.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax =
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|why| broken(&why))?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", to_json);
        environment.add_template_owned(NAME, plain_jinja(source)).map_err(|why| broken(&why))?;
        let mut template = Self { environment, bos: bos.to_owned(), eos: eos.to_owned(), folds_system: false };
        template.folds_system = !template.takes_system();
        Ok(template)
    }

    /// The conversation as the model reads it; with `add_generation_prompt` up to where its answer begins.
    ///
    /// The names of control tokens in the messages come out as they are; tokenising must tell them from the template's.
    ///
    /// # Errors
    /// When the template refuses the conversation (it may insist that roles alternate, for example) or takes too long.
    pub fn render(&self, messages: &[ChatMessage], add_generation_prompt: bool) -> Result<String> {
        if self.folds_system {
            return self.render_as_is(&folded(messages), add_generation_prompt).map_err(|why| broken(&why));
        }
        self.render_as_is(messages, add_generation_prompt).map_err(|why| broken(&why))
    }

    fn render_as_is(&self, messages: &[ChatMessage], add_generation_prompt: bool) -> Result<String, minijinja::Error> {
        let mut environment = self.environment.clone();
        let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
        environment.set_fuel(Some(FUEL + 2 * bytes as u64));
        let messages: Vec<Value> =
            messages.iter().map(|m| context! { role => m.role.name(), content => m.content.as_str() }).collect();
        environment.get_template(NAME)?.render(context! {
            messages,
            add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            tools => Value::from(()),
            documents => Value::from(()),
        })
    }

    /// Whether a system message comes out of the template.
    fn takes_system(&self) -> bool {
        let message = |role, content: &str| ChatMessage { role, content: content.to_owned() };
        let instruction = "Answer in rhyme.";
        let messages = [message(Role::System, instruction), message(Role::User, "Who are you?")];
        self.render_as_is(&messages, true).is_ok_and(|text| text.contains(instruction))
    }
}

/// The conversation with its system messages put in front of the message that follows.
fn folded(messages: &[ChatMessage]) -> Vec<ChatMessage> {
    let mut out: Vec<ChatMessage> = Vec::with_capacity(messages.len());
    let mut instructions = String::new();
    for message in messages {
        match message.role {
            Role::System => {
                instructions.push_str(message.content.trim());
                instructions.push_str("\n\n");
            }
            Role::User => {
                let content = std::mem::take(&mut instructions) + &message.content;
                out.push(ChatMessage { role: Role::User, content });
            }
            Role::Assistant => out.push(message.clone()),
        }
    }
    if !instructions.is_empty() {
        out.push(ChatMessage { role: Role::User, content: instructions.trim_end().to_owned() });
    }
    out
}

/// The template in the Jinja that is understood here: without `{% generation %}`, which marks what a model is trained on, and
/// with texts joined that a backslash carries over a line end. A condition that always holds stands in for the mark, so
/// that the signs for trimming around it keep their meaning.
fn plain_jinja(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, [open, close], after)) = next_tag(rest) {
        let Some((tag, after)) = after.split_once(close) else { break };
        let name = tag.trim_matches(|c: char| matches!(c, '-' | '+') || c.is_whitespace());
        let tag = match (open, name) {
            ("{%", "generation") => tag.replacen(name, "if true", 1),
            ("{%", "endgeneration") => tag.replacen(name, "endif", 1),
            _ => tag.replace("\\\n", ""),
        };
        out.extend([before, open, &tag, close]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Text before the next tag, the tag's delimiters, and what follows the opening one.
fn next_tag(source: &str) -> Option<(&str, [&'static str; 2], &str)> {
    let tags = [["{%", "%}"], ["{{", "}}"]];
    let (at, tag) = tags.into_iter().filter_map(|tag| Some((source.find(tag[0])?, tag))).min()?;
    Some((&source[..at], tag, &source[at + 2..]))
}

fn raise_exception(message: String) -> Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

/// The date for templates that tell the model today's. It is always the one that they fall back to themselves, 26 July
/// 2024: the same conversation must give the same text tomorrow.
fn strftime_now(format: &str) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out.push_str(match chars.next() {
            Some('Y') => "2024",
            Some('y') => "24",
            Some('m') => "07",
            Some('B') => "July",
            Some('b' | 'h') => "Jul",
            Some('d') => "26",
            Some('e') => "26",
            Some('A') => "Friday",
            Some('a') => "Fri",
            Some('j') => "208",
            Some('F') => "2024-07-26",
            Some('H' | 'I') => "12",
            Some('M' | 'S') => "00",
            Some('p') => "PM",
            Some('T') => "12:00:00",
            Some('%') => "%",
            _ => "",
        });
    }
    out
}

/// As Python's `json.dumps` writes: `", "` and `": "` between things, no escapes that HTML would need.
fn to_json(value: &Value) -> Result<String, minijinja::Error> {
    struct Spaced;
    impl serde_json::ser::Formatter for Spaced {
        fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
            out.write_all(b": ")
        }
    }
    let failed = |why: String| minijinja::Error::new(ErrorKind::BadSerialization, why);
    let mut out = Vec::new();
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced))
        .map_err(|why| failed(why.to_string()))?;
    String::from_utf8(out).map_err(|why| failed(why.to_string()))
}

fn broken(why: &minijinja::Error) -> Error {
    if why.kind() == ErrorKind::OutOfFuel {
        return Error::new(
            "This model's chat template takes too long; shorten the conversation, or write without chat.",
            "该模型的对话模板耗时过长，请缩短对话，或改用续写。",
        );
    }
    let detail = why.detail().map_or_else(|| why.kind().to_string(), str::to_owned);
    let line = why.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    Error::new(
        format!("This model's chat template refused: {detail}{line}; change the conversation, or write without chat."),
        format!("该模型的对话模板拒绝了：{detail}{line}；请调整对话，或改用续写。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(messages: &[(Role, &str)]) -> Vec<ChatMessage> {
        messages.iter().map(|(role, content)| ChatMessage { role: *role, content: (*content).to_owned() }).collect()
    }

    fn render(source: &str, messages: &[(Role, &str)]) -> Result<String> {
        ChatTemplate::new(source, "<s>", "</s>").and_then(|template| template.render(&chat(messages), true))
    }

    const HELLO: &[(Role, &str)] = &[(Role::System, "Be brief."), (Role::User, "Hi")];

    /// What templates in use do, in one; the answer is what Jinja2 3.1 renders with the settings of `transformers`.
    #[test]
    fn the_python_that_templates_are_written_in_works() {
        let source = "{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- set i = (messages|length - 1) - loop.index0 %}
    {%- if ns.last < 0 and message.role == 'user' and message.content is string and not (message.content.startswith('<t>') and message.content.endswith('</t>')) %}
        {%- set ns.last = i %}
    {%- endif %}
{%- endfor %}
{{ bos_token }}{% for m in messages %}
    {% if m['role'] not in ['user', 'system', 'assistant'] %}
        {% continue %}
    {% endif %}
[{{ m.role | upper }}] {{ m.content.split('</think>')[-1].lstrip('\\n') | trim }}{{ ' *' if loop.index0 == ns.last else '' }}
{% endfor %}
{{ {'a': [1, 2.5, none, true], 'é': '<\\'\">'} | tojson }} {{ messages[0].get('name', 'none') }} {{ strftime_now('%d %b %Y') }}
{% if tools is not none %}tools{% endif %}
{% generation %}g{% endgeneration %}
{%- set long = \"one \\
line\" %}{{ long }}
{%- if add_generation_prompt %}{{ '[ASSISTANT]' }}{% endif %}
";
        let got = render(
            source,
            &[
                (Role::System, " Be brief. "),
                (Role::User, "Hi"),
                (Role::Assistant, "<think>x</think>\n\nYo"),
                (Role::User, "<t>r</t>"),
            ],
        );
        let want = "<s>[SYSTEM] Be brief.\n[USER] Hi *\n[ASSISTANT] Yo\n[USER] <t>r</t>\n{\"a\": [1, 2.5, null, true], \"é\": \"<'\\\">\"} none 26 Jul 2024\ngone line[ASSISTANT]";
        assert_eq!(got.expect("renders"), want);
    }

    #[test]
    fn a_template_that_refuses_a_system_message_gets_it_from_the_person() {
        let source = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
            {% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
        assert_eq!(render(source, HELLO).expect("renders"), "<user>Be brief.\n\nHi");
        assert_eq!(render(source, &HELLO[..1]).expect("renders"), "<user>Be brief.");
        let ignores = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}";
        assert_eq!(render(ignores, HELLO).expect("renders"), "<user>Be brief.\n\nHi");
        let takes = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
        assert_eq!(render(takes, HELLO).expect("renders"), "<system>Be brief.<user>Hi");
    }

    #[test]
    fn what_goes_wrong_is_told_in_a_sentence() {
        let alternate = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\
            {{ raise_exception('Roles must alternate') }}{% endif %}{% endfor %}";
        let why = render(alternate, &[(Role::User, "a"), (Role::User, "b")]).expect_err("refused").to_string();
        assert!(why.contains("Roles must alternate"), "{why}");
        let why = render("{% if %}", HELLO).expect_err("no Jinja").to_string();
        assert!(why.contains("chat template"), "{why}");
        for bomb in [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        ] {
            assert!(render(bomb, HELLO).is_err(), "{bomb}");
        }
    }

    #[test]
    fn long_conversations_fit() {
        let source = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{% endfor %}";
        let long = "word ".repeat(400_000);
        let text = render(source, &[(Role::User, &long), (Role::Assistant, &long)]).expect("renders");
        assert_eq!(text.matches("word ").count(), 800_000);
        let many: Vec<_> = (0..5000).map(|_| (Role::User, "Hello there.")).collect();
        assert_eq!(render(source, &many).expect("renders").matches("Hello").count(), 5000);
    }
}
