//! The coordinator of transactions.

use std::collections::BTreeSet;

use super::super::log::INVALID_EPOCH;
use super::super::wire::{Answer, Request};
use super::{INVALID_TRANSACTION, State, Transaction, UNKNOWN_TOPIC};

impl State {
    pub(super) fn init_producer(&mut self, request: &mut Request, answer: &mut Answer, error: i16) {
        let id = request.nullable();
        let mut producer = (-1, -1);
        if error == 0 {
            match id {
                None => {
                    self.producers += 1;
                    producer = (self.producers, 0);
                }
                Some(id) => producer = self.fence(&id),
            }
        }
        answer.i32(0).i16(error).i64(producer.0).i16(producer.1);
    }

    /// Aborts the open transaction of earlier producers, which are not accepted any more.
    fn fence(&mut self, id: &str) -> (i64, i16) {
        let Some(transaction) = self.transactions.get_mut(id) else {
            self.producers += 1;
            let transaction = Transaction { producer: self.producers, ..Transaction::default() };
            self.transactions.insert(id.into(), transaction);
            return (self.producers, 0);
        };
        transaction.epoch += 1;
        transaction.ended = None;
        let producer = (transaction.producer, transaction.epoch);
        let partitions = std::mem::take(&mut transaction.partitions);
        self.mark(partitions, producer, false);
        producer
    }

    fn mark(&mut self, partitions: BTreeSet<(String, usize)>, of: (i64, i16), commits: bool) {
        for (topic, partition) in partitions {
            let log = self.partition(&topic, i32::try_from(partition).unwrap());
            if let Some(log) = log {
                log.end_transaction(of.0, of.1, commits);
            }
        }
    }

    pub(super) fn add_partitions(
        &mut self,
        request: &mut Request,
        answer: &mut Answer,
        error: i16,
    ) {
        let (id, producer, epoch) = (request.string(), request.i64(), request.i16());
        let topics = request.list(|request| (request.string(), request.list(Request::i32)));
        let is_current = self.is_current(&id, producer, epoch);
        answer.i32(0).list(topics.unwrap(), |answer, (topic, partitions)| {
            answer.string(&topic).list(partitions.unwrap(), |answer, partition| {
                let error = match error {
                    0 if !is_current => INVALID_EPOCH,
                    0 if self.partition(&topic, partition).is_none() => UNKNOWN_TOPIC,
                    error => error,
                };
                if let Some(transaction) = self.transactions.get_mut(&id)
                    && error == 0
                {
                    let partition = usize::try_from(partition).unwrap();
                    transaction.partitions.insert((topic.clone(), partition));
                    transaction.ended = None;
                }
                answer.i32(partition).i16(error);
            });
        });
    }

    fn is_current(&self, id: &str, producer: i64, epoch: i16) -> bool {
        let of = |transaction: &Transaction| (transaction.producer, transaction.epoch);
        self.transactions.get(id).map(of) == Some((producer, epoch))
    }

    pub(super) fn end_transaction(
        &mut self,
        request: &mut Request,
        answer: &mut Answer,
        error: i16,
    ) {
        let (id, producer, epoch) = (request.string(), request.i64(), request.i16());
        let commits = request.i8() != 0;
        let is_current = self.is_current(&id, producer, epoch);
        let error = match self.transactions.get_mut(&id) {
            _ if error != 0 => error,
            Some(_) if !is_current => INVALID_EPOCH,
            // A repeated request.
            Some(Transaction { ended: Some(ended), .. }) if *ended == commits => 0,
            Some(transaction) if transaction.ended.is_none() => {
                transaction.ended = Some(commits);
                let partitions = std::mem::take(&mut transaction.partitions);
                self.mark(partitions, (producer, epoch), commits);
                0
            }
            _ => INVALID_TRANSACTION,
        };
        answer.i32(0).i16(error);
    }
}
