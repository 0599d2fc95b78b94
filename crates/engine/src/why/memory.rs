//! Memory: 137 in two of its three stories, and `/dev/shm`.

use super::{Cause, Facts, Remedy, Source, Why, WhyFix, pattern, size};

const MEANING: &str = "128 + 9. Signal 9 ends a program at once; it cannot finish anything first.";

/// What a kernel says of the program that it ended.
struct Killing<'a> {
    line: &'a str,
    /// The container's own limit, and not the machine's memory.
    by_limit: bool,
    task: &'a str,
}

/// `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=…,oom_memcg=/docker/ID,task_memcg=/docker/ID,task=python3,pid=7,uid=0`
///
/// The kernel remembers earlier runs of a container, too: one that somebody has killed now is another story.
fn killing(facts: &Facts) -> Option<Killing<'_>> {
    let engine_says = facts.oom_killed || facts.oom_told;
    if !engine_says && (facts.exit_code != 137 || facts.signals.contains(&9)) {
        return None;
    }
    let line = facts
        .kernel
        .iter()
        .rev()
        .find(|line| line.contains("oom-kill:") && line.contains(facts.id.as_str()))?;
    let task = line.split("task=").nth(1).unwrap_or_default();
    Some(Killing {
        line,
        by_limit: line.contains("CONSTRAINT_MEMCG"),
        task: task.split(',').next().unwrap_or_default(),
    })
}

fn ran_out(facts: &Facts) -> bool {
    !facts.id.is_empty() && (facts.oom_killed || facts.oom_told || killing(facts).is_some())
}

/// Engines from the cgroup's second version on say "out of memory" in both stories; the limit and the kernel tell which.
fn by_limit(facts: &Facts) -> bool {
    match killing(facts) {
        Some(killing) => killing.by_limit,
        None => facts.spec.memory.is_some(),
    }
}

fn evidence(facts: &Facts, mut why: Why) -> Why {
    if facts.oom_killed {
        why = why.knows(Source::Engine, "OOMKilled: true");
    } else if facts.oom_told {
        why = why.knows(Source::Events, "oom: the engine told that its memory ran out");
    }
    if let Some(killing) = killing(facts) {
        // Its name is in there three times, each 64 letters long.
        let short = facts.id.get(..12).unwrap_or(&facts.id);
        why = why.knows(Source::Kernel, killing.line.replace(&facts.id, short));
    }
    if facts.exit_code == 137 {
        why = why.means(MEANING);
    }
    why
}

pub(super) fn limit(facts: &Facts) -> Option<Why> {
    if !ran_out(facts) || !by_limit(facts) || (facts.exit_code == 0 && !facts.runs()) {
        return None;
    }
    let name = &facts.name;
    let program = killing(facts).map_or("the program", |killing| killing.task);
    let (story, wanted) = match facts.spec.memory {
        Some(limit) => (
            format!(
                "It was allowed {} and {program} asked for more. Linux then ends it at once, so that everything else \
                 stays healthy. What is in its volumes and folders is still there.",
                size(limit)
            ),
            limit.saturating_mul(2).max(256 << 20),
        ),
        None => (
            "It asked for more memory than it is allowed. Linux then ends it at once.".to_owned(),
            1 << 30,
        ),
    };
    let mut why = facts.why(
        Cause::MemoryLimit,
        "Out of memory",
        format!("{name} ran out of memory and was stopped"),
        story,
    );
    if let Some(limit) = facts.spec.memory {
        why = why.knows(Source::Settings, format!("Memory limit: {}", size(limit)));
    }
    why = evidence(facts, why);
    let fits = wanted < facts.engine_memory;
    let title = format!("Give it {} of memory", size(wanted));
    let note = if facts.engine_memory == 0 || fits {
        format!("The engine has {} in all.", size(facts.engine_memory))
    } else {
        format!(
            "That is more than the engine has ({}): give the engine more, too.",
            size(facts.engine_memory)
        )
    };
    why = why.fix(
        facts.run_again(&title, &note, &format!("Set {}", size(wanted)), |spec| {
            spec.memory = Some(wanted);
            // What was allowed together with the disk was chosen for the old limit.
            spec.rare.retain(|rare| rare.flag != "memory-swap");
        }),
    );
    Some(if fits { why } else { why.fix(resources(facts)) })
}

pub(super) fn machine(facts: &Facts) -> Option<Why> {
    if !ran_out(facts) || by_limit(facts) || facts.exit_code == 0 {
        return None;
    }
    let program = killing(facts).map_or("the program", |killing| killing.task);
    let why = facts.why(
        Cause::MachineMemory,
        "The engine ran out of memory",
        format!("{} was stopped because the engine had no memory left", facts.name),
        format!(
            "It has no limit of its own. Everything that runs on this engine shares {}; when that was used up, Linux \
             chose {program} and ended it.",
            size(facts.engine_memory)
        ),
    );
    let half = (facts.engine_memory / 2) >> 20 << 20;
    Some(evidence(facts, why).fix(resources(facts)).fix(facts.run_again(
        "Give it a limit",
        "Then it is this program alone that stops when it asks for too much.",
        &format!("Set {}", size(half)),
        |spec| spec.memory = Some(half),
    )))
}

fn resources(facts: &Facts) -> WhyFix {
    if facts.own_machine {
        WhyFix {
            title: "Give the engine more memory".into(),
            note: format!("It has {} now. It starts again for that.", size(facts.engine_memory)),
            button: "Open Resources".into(),
            remedy: Remedy::Resources,
        }
    } else {
        WhyFix {
            title: "See what else uses memory".into(),
            note: "The engine has all the memory of its computer: stop what is not needed.".into(),
            button: "Copy docker stats".into(),
            remedy: Remedy::Copy {
                text: "docker stats --no-stream".into(),
            },
        }
    }
}

/// Loaders of `PyTorch`, browsers and databases pass data through `/dev/shm`, of which a container has 64 MB.
pub(super) fn shared(facts: &Facts) -> Option<Why> {
    let by_words = facts.said(pattern!(
        r"(?i)insufficient shared memory|out of shared memory|shm.{0,80}no space left|no space left.{0,80}(/dev/shm|shared memory)|could not resize shared memory segment"
    ));
    let bus = facts.said(pattern!(r"(?i)bus error|SIGBUS"));
    // 128 + 7
    let said = by_words.or(bus.filter(|_| facts.exit_code != 0));
    if said.is_none() && facts.exit_code != 135 {
        return None;
    }
    let now = facts.spec.shm_size.unwrap_or(64 << 20);
    let wanted = (now * 4).max(1 << 30);
    let mut why = facts
        .why(
            Cause::SharedMemory,
            "Too little shared memory",
            format!("{} needs more shared memory", facts.name),
            format!(
                "Programs that work together pass data through /dev/shm. A container has {} of it, and that was not \
                 enough.",
                size(now)
            ),
        )
        .knows(Source::Settings, format!("/dev/shm: {}", size(now)));
    if let Some(said) = said {
        why = why.knows(Source::Log, said.line);
    }
    if facts.exit_code == 135 {
        why = why.means("128 + 7. Signal 7 means that memory could not be had where the program expected it.");
    }
    Some(why.fix(facts.run_again(
        &format!("Give it {} of shared memory", size(wanted)),
        "It counts as memory only as far as it is used.",
        &format!("Set {}", size(wanted)),
        |spec| spec.shm_size = Some(wanted),
    )))
}
