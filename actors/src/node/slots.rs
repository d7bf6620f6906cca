//! Which of a node's slots are free. Pure accounting; the slots themselves are in
//! `crate::slot`.

/// Position of a slot on its node.
pub(crate) type SlotIndex = usize;

/// Numbers runs on this node; never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunId(pub(crate) u64);

/// What one slot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// Its child is not up (yet): it takes nothing.
    Down,
    /// Its child waits for an order.
    Free,
    /// It has a run: being staged, or with the child.
    Busy(RunId),
}

/// What a slot is for. Probing has slots of its own, so that an upload is looked at while long
/// renders go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotClass {
    /// Preparing, rendering, mixing, joining.
    Render,
    /// Looking at the files of uploads and imports.
    Probe,
}

/// All slots of a node: those for rendering first.
#[derive(Debug)]
pub(crate) struct Slots {
    states: Vec<SlotState>,
    render: usize,
}

impl Slots {
    pub(crate) fn new(render: usize, probe: usize) -> Self {
        Self {
            states: vec![SlotState::Down; render + probe],
            render,
        }
    }

    fn class(&self, slot: SlotIndex) -> SlotClass {
        if slot < self.render {
            SlotClass::Render
        } else {
            SlotClass::Probe
        }
    }

    /// The child of `slot` waits for an order. A slot with a run keeps it: the child was
    /// restarted while the run was being staged.
    pub(crate) fn ready(&mut self, slot: SlotIndex) {
        if let Some(state @ SlotState::Down) = self.states.get_mut(slot) {
            *state = SlotState::Free;
        }
    }

    /// The child of `slot` is gone.
    pub(crate) fn down(&mut self, slot: SlotIndex) {
        if let Some(state @ SlotState::Free) = self.states.get_mut(slot) {
            *state = SlotState::Down;
        }
    }

    /// Gives a free slot to `run`.
    pub(crate) fn take(&mut self, run: RunId, class: SlotClass) -> Option<SlotIndex> {
        let slot = (0..self.states.len())
            .find(|&slot| self.states[slot] == SlotState::Free && self.class(slot) == class)?;
        self.states[slot] = SlotState::Busy(run);
        Some(slot)
    }

    /// Gives `run` the slot that `ending` is about to leave: it begins there once the child
    /// is ready again.
    pub(crate) fn take_over(&mut self, ending: RunId, run: RunId) -> Option<SlotIndex> {
        let slot = self
            .states
            .iter()
            .position(|state| *state == SlotState::Busy(ending))?;
        self.states[slot] = SlotState::Busy(run);
        Some(slot)
    }

    /// Whether `run` still has a slot.
    pub(crate) fn holds(&self, run: RunId) -> bool {
        self.states.contains(&SlotState::Busy(run))
    }

    /// `run` has left its slot. The child reports when it is ready again, unless the
    /// run never reached it.
    pub(crate) fn release(&mut self, run: RunId, child_is_ready: bool) {
        for state in &mut self.states {
            if *state == SlotState::Busy(run) {
                *state = if child_is_ready {
                    SlotState::Free
                } else {
                    SlotState::Down
                };
            }
        }
    }

    pub(crate) fn free(&self, class: SlotClass) -> usize {
        self.states
            .iter()
            .enumerate()
            .filter(|(slot, state)| **state == SlotState::Free && self.class(*slot) == class)
            .count()
    }

    pub(crate) fn states(&self) -> &[SlotState] {
        &self.states
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_takes_one_run_and_only_while_its_child_is_up() {
        let render = SlotClass::Render;
        let mut slots = Slots::new(2, 0);
        assert_eq!(slots.take(RunId(1), render), None, "no child is up");
        slots.ready(1);
        assert_eq!(slots.take(RunId(1), render), Some(1));
        assert_eq!(
            slots.take(RunId(2), render),
            None,
            "the only child up is busy"
        );
        slots.ready(0);
        slots.ready(1);
        assert_eq!(
            slots.free(render),
            1,
            "a busy slot does not become free by a restart"
        );
        assert_eq!(slots.take(RunId(2), render), Some(0));
        slots.release(RunId(1), false);
        assert_eq!(slots.free(render), 0, "not before its child reports it");
        slots.ready(1);
        assert_eq!(slots.free(render), 1);
        slots.release(RunId(2), true);
        assert_eq!(slots.free(render), 2, "the run never reached the child");
        slots.down(0);
        assert_eq!(slots.states(), [SlotState::Down, SlotState::Free]);
    }

    #[test]
    fn probing_and_rendering_never_take_each_others_slots() {
        let mut slots = Slots::new(1, 1);
        slots.ready(0);
        slots.ready(1);
        assert_eq!(slots.take(RunId(1), SlotClass::Probe), Some(1));
        assert_eq!(slots.take(RunId(2), SlotClass::Probe), None);
        assert_eq!(slots.free(SlotClass::Render), 1);
        assert_eq!(slots.take(RunId(2), SlotClass::Render), Some(0));
        assert_eq!(slots.take(RunId(3), SlotClass::Render), None);
    }
}
