//! The checks of the slot and the publications, and the creation of the slot.

use super::create_slot::SlotWaitOptions;
use super::missing_setup::Needs;
use super::slot::SlotFacts;
use crate::catalog::Catalog;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, SetupError};
use crate::proto::CreateSlot;

impl Connection {
    /// Checks the slot and the publications, and creates the slot if there is none and `create` is
    /// given. A slot that another process creates is waited for in any case.
    ///
    /// # Errors
    /// Everything that is missing; what `create_slot_reporting_waits` and `wait_for_creator` find.
    pub(crate) fn make_ready(
        &mut self,
        needs: &Needs<'_>,
        create: Option<&CreateSlot>,
        catalog: &mut Catalog,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<SlotFacts, Error> {
        self.checked_or_created(needs, create, catalog, wait_options)
            .map_err(|error| self.with_all_missing(error, needs))
    }

    fn checked_or_created(
        &mut self,
        needs: &Needs<'_>,
        create: Option<&CreateSlot>,
        catalog: &mut Catalog,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<SlotFacts, Error> {
        if create.is_some() {
            // All other problems are found before a slot is created.
            self.check_publications(needs.publications)?;
        }
        let mut created = false;
        if let Some(create) = create.filter(|create| create.temporary) {
            self.create_slot_reporting_waits(create, catalog, wait_options)?;
            created = true;
        }
        let slot = loop {
            let error = match self.check_slot(needs.slot) {
                Ok(slot) => break SlotFacts { created, ..slot },
                Err(error) => error,
            };
            match (error.kind(), create) {
                (ErrorKind::Setup(SetupError::SlotBeingCreated { .. }), create) => {
                    if create.is_none() {
                        // Reported before the wait, which may take minutes.
                        self.check_publications(needs.publications)?;
                    }
                    self.wait_for_creator(error, catalog, wait_options)?;
                }
                // Also if another creator has given up.
                (ErrorKind::Setup(SetupError::SlotMissing { .. }), Some(create))
                    if !create.temporary =>
                {
                    match self.create_slot_reporting_waits(create, catalog, wait_options) {
                        // Another client was faster. Its slot is used.
                        Err(error) if error.sqlstate() == Some("42710") => {}
                        result => {
                            result?;
                            created = true;
                        }
                    }
                }
                _ => return Err(error),
            }
        };
        if create.is_none() {
            self.check_publications(needs.publications)?;
        }
        Ok(slot)
    }
}
