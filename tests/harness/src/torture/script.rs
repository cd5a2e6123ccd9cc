//! What breaks, and when: a script that the daemon's fault points and the proxy in front of the server consult.
//!
//! Rules are armed one after the other: the second waits until the first has struck. So one script says "kill the daemon at
//! its activation, then lose the next commit of the daemon that takes the operation up", and it says the same at each
//! repetition.

use std::collections::VecDeque;

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing: the next rule waits until this point is passed.
    Go,
    /// The effect's answer is lost: a transient error.
    Lost,
    /// A permanent error.
    Refuse,
    Panic,
    /// `kill -9` of the daemon.
    Kill,
    /// All connections of the daemon to the server are cut.
    Cut,
    /// The server ends all sessions of the daemon's roles.
    Terminate,
    /// The daemon is stopped until another has taken over.
    Stop,
    /// The server crashes and starts again.
    Restart,
    /// An operator requests the operation's cancellation.
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    Before,
    After,
}

/// Where a COMMIT is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// It never reaches the server.
    Before,
    /// It reaches the server, and nobody waits for the answer.
    After,
    /// It is answered, and the answer is lost.
    Answer,
    /// The daemon's connection is cut at once, and the COMMIT reaches the server later.
    Late,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// At a point; without a place, at any point.
    At { place: Option<String>, moment: Option<Moment>, skip: u32, fault: Fault },
    /// At a COMMIT, whichever connection it is on.
    Commit { skip: u32, cut: Cut },
}

/// What is to break, and what did.
#[derive(Debug, Default)]
pub struct Script {
    pub(super) rules: VecDeque<Rule>,
    /// Points passed and COMMITs seen, in order.
    pub trace: Vec<String>,
    pub struck: usize,
}

impl Script {
    /// A COMMIT passes through.
    pub fn at_commit(&mut self) -> Option<Cut> {
        self.trace.push("COMMIT".to_owned());
        let Some(Rule::Commit { skip, cut }) = self.rules.front_mut() else { return None };
        if *skip > 0 {
            *skip -= 1;
            return None;
        }
        let cut = *cut;
        self.strike(format!("{cut:?}"));
        Some(cut)
    }

    pub(super) fn at_point(&mut self, pid: i32, at: &str, when: Moment) -> Option<Fault> {
        self.trace.push(format!("{pid} {at} {when:?}"));
        let Some(Rule::At { place, moment, skip, fault }) = self.rules.front_mut() else { return None };
        if place.as_deref().is_some_and(|place| place != at) || moment.is_some_and(|moment| moment != when) {
            return None;
        }
        if *skip > 0 {
            *skip -= 1;
            return None;
        }
        let fault = *fault;
        self.strike(format!("{fault:?}"));
        Some(fault)
    }

    fn strike(&mut self, what: String) {
        self.rules.pop_front();
        self.struck += 1;
        self.trace.push(format!("! {what}"));
    }
}

/// The places that were passed after the last fault struck, each once, in the order in which they were passed first.
pub fn places_passed(trace: &[String]) -> Vec<String> {
    let begin = trace.iter().rposition(|line| line.starts_with("! ")).map_or(0, |at| at + 1);
    let mut places: Vec<String> = Vec::new();
    for line in &trace[begin..] {
        let mut words = line.split(' ');
        // A COMMIT is one word; a point is a process, a place and a moment.
        if let (Some(_), Some(place), Some(_)) = (words.next(), words.next(), words.next())
            && !places.iter().any(|known| known == place)
        {
            places.push(place.to_owned());
        }
    }
    places
}

/// Whether a fault struck that does not pass by itself, or that ended the very attempt which was to outlast it. Only then
/// may an operation ask for a person.
pub fn struck_for_good(trace: &[String]) -> bool {
    let lasting = [Fault::Refuse, Fault::Panic].map(|fault| format!("! {fault:?}"));
    trace.iter().any(|line| lasting.contains(line))
}
