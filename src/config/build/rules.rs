//! Rules: their conditions, what they do, and the templates that they use.
//! It never asks one.

use std::fs;
use std::path::Path;

use toml::Spanned;

use super::{Builder, missing};
use crate::config::file::{OperationName, RuleTable};
use crate::limits::{RULES_MAX, TEMPLATE_MAX};
use crate::names::rules::{Act, Attempt, End, OptionTest, Rule, When};
use crate::names::{Operation, Pattern, Rules, Text};

impl<'a> Builder<'a> {
    pub(super) fn rules(&mut self) -> Rules {
        let file = self.file();
        if let Some(first_too_many) = file.rule.get(RULES_MAX) {
            self.blame(first_too_many, format!("there may be {RULES_MAX} rules"));
        }
        let rules = file.rule.iter().enumerate();
        Rules(
            rules
                .map(|(place, rule)| self.rule(place + 1, rule))
                .collect(),
        )
    }

    fn rule(&mut self, number: usize, rule: &'a Spanned<RuleTable>) -> Rule {
        let table = rule.get_ref();
        let line = self.config.mistake(rule.span().start, "").line;
        let label = match &table.name {
            Some(name) => format!("rule {number} \"{name}\" (line {line})"),
            None => format!("rule {number} (line {line})"),
        };
        let pattern = table.r#match.as_ref().and_then(|text| self.pattern(text));
        let rewrite = table.rewrite.as_ref();
        let rewrite = rewrite.and_then(|text| self.text(text, pattern.as_ref()));
        if table.repeat && (rewrite.is_none() || pattern.is_none()) {
            self.blame(
                rule,
                "`repeat` repeats a `rewrite` as long as `match` matches; it needs both",
            );
        }
        let root = table.root.as_ref().and_then(|name| self.root_id(name));
        let end = self.end(rule, pattern.as_ref());
        if rewrite.is_none() && root.is_none() && matches!(end, End::GoOn) {
            self.blame(
                rule,
                "this rule does nothing; it may rewrite, root, deny, try, template or stop",
            );
        }
        Rule {
            label: label.into(),
            when: When {
                name: pattern,
                from: table.from.0.clone(),
                to: table.to.0.clone(),
                mac: table.mac.0.clone(),
                operation: table.operation.map(|operation| match operation {
                    OperationName::Read => Operation::Read,
                    OperationName::Write => Operation::Write,
                }),
                options: option_tests(table),
            },
            act: Act {
                rewrite,
                repeat: table.repeat,
                root,
                end,
            },
        }
    }

    fn end(&mut self, rule: &'a Spanned<RuleTable>, pattern: Option<&Pattern>) -> End {
        let table = rule.get_ref();
        let tries = table.r#try.is_some() || table.template.is_some();
        let ends = [table.deny.is_some(), tries, table.stop];
        if ends.iter().filter(|end| **end).count() > 1 {
            self.blame(
                rule,
                "`deny`, `stop` and `try` or `template` end a request, each in its way; choose one",
            );
        }
        if let Some(deny) = &table.deny {
            let text = deny.get_ref().text.as_deref().unwrap_or("Access violation");
            if text.contains(char::is_control) {
                self.blame(deny, "the text of a refusal is one line");
            }
            return End::Deny {
                code: deny.get_ref().code,
                text: text.into(),
            };
        }
        if tries {
            return End::Try(self.attempts(table, pattern));
        }
        if table.stop { End::Stop } else { End::GoOn }
    }

    fn attempts(&mut self, table: &'a RuleTable, pattern: Option<&Pattern>) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        if let Some(names) = &table.r#try {
            if names.get_ref().is_empty() {
                self.blame(names, "`try` names at least one file");
            }
            for name in names.get_ref() {
                attempts.extend(self.text(name, pattern).map(Attempt::File));
            }
        }
        if let Some(name) = &table.template {
            attempts.extend(self.template(name, pattern).map(Attempt::Template));
        }
        attempts
    }

    /// The text of a template; its groups are those of the rule that uses it.
    fn template(&mut self, name: &Spanned<String>, pattern: Option<&Pattern>) -> Option<Text> {
        let Some(table) = self.templates.get(name.get_ref().as_str()).copied() else {
            let known: Vec<&str> = self.templates.keys().copied().collect();
            let text = missing("template", name.get_ref(), &known);
            self.blame(name, text);
            return None;
        };
        if let Some(content) = &table.content {
            return self.text_at(content, content.get_ref(), pattern);
        }
        let file = table.file.as_ref()?;
        match read_template(file.get_ref()) {
            Ok(content) => self.text_at(file, &content, pattern),
            Err(why) => {
                self.blame(file, why);
                None
            }
        }
    }

    fn pattern(&mut self, text: &Spanned<String>) -> Option<Pattern> {
        match text.get_ref().parse() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.blame(text, format!("no regular expression: {error}"));
                None
            }
        }
    }

    fn text(&mut self, text: &Spanned<String>, pattern: Option<&Pattern>) -> Option<Text> {
        self.text_at(text, text.get_ref(), pattern)
    }

    fn text_at<T>(
        &mut self,
        at: &Spanned<T>,
        text: &str,
        pattern: Option<&Pattern>,
    ) -> Option<Text> {
        match Text::parse(text, pattern) {
            Ok(text) => Some(text),
            Err(error) => {
                self.blame(at, error.to_string());
                None
            }
        }
    }
}

fn option_tests(table: &RuleTable) -> Vec<OptionTest> {
    let tests = table.options.iter().map(|(name, wanted)| OptionTest {
        name: name.as_str().into(),
        wanted: wanted.0.clone(),
    });
    tests.collect()
}

fn read_template(path: &Path) -> Result<String, String> {
    let failed = |why: String| format!("cannot read the template {}: {why}", path.display());
    let length = fs::metadata(path)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if length > TEMPLATE_MAX as u64 {
        return Err(failed(format!("it is larger than {TEMPLATE_MAX} bytes")));
    }
    fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}
