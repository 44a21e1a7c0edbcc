//! A page as a reader sees it: headings, links, prose, and blocks of code between fences. Whatever looks like a
//! command and stands outside a fence is an error, so that no command escapes the tests.

/// One block of code.
pub struct Block {
    /// What stands behind the opening fence, such as `console`.
    pub language: String,
    pub lines: Vec<String>,
    /// Line of the page that the opening fence is on, from 1.
    pub line: usize,
}

/// A command, and what the page shows below it.
pub struct Step {
    pub command: String,
    pub prints: Vec<String>,
}

/// The blocks of a page in order.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    let mut blank = true;
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            assert!(
                open == language.is_empty(),
                "{page}:{}: a fence without a language",
                index + 1
            );
            if !open {
                blocks.push(Block {
                    language: language.to_owned(),
                    lines: Vec::new(),
                    line: index + 1,
                });
            }
            open = !open;
        } else if open {
            let block = blocks.last_mut().expect("a block is open");
            block.lines.push(line.to_owned());
        } else {
            assert!(
                !(blank && line.starts_with("    ")),
                "{page}:{}: code without a fence",
                index + 1
            );
            blank = line.is_empty();
        }
    }
    assert!(!open, "{page}: a fence is not closed");
    blocks
}

/// The lines outside blocks, each with its number.
pub fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut open = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            open = !open;
        } else if !open {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The targets of links, such as `days.md#open-and-closed`, without those of other sites.
pub fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for (_, line) in prose(text) {
        for rest in line.split("](").skip(1) {
            let (target, _) = rest.split_once(')').expect(line);
            if !target.contains("://") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

/// The anchors that GitHub makes of a page's headings.
pub fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| line.trim_start_matches('#'));
    let anchor = |heading: &str| {
        let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
        let text: String = heading.trim().to_lowercase().chars().filter(kept).collect();
        text.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// The commands of a `console` block. A command begins with a dollar and goes on in lines that begin with `> `.
pub fn steps(page: &str, block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in &block.lines {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step {
                command: command.to_owned(),
                prints: Vec::new(),
            }),
            (None, None) => panic!("{page}:{}: the output of no command: {line}", block.line),
            (None, Some(step)) => match line.strip_prefix("> ") {
                Some(more) if step.prints.is_empty() => {
                    step.command.push('\n');
                    step.command.push_str(more);
                }
                _ => step.prints.push(line.clone()),
            },
        }
    }
    for step in &mut steps {
        while step.prints.last().is_some_and(String::is_empty) {
            step.prints.pop();
        }
    }
    steps
}
