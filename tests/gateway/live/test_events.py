"""Batches of events: what is written to a client at once."""

from gateway.live.events import MAX_BATCH_BYTES, Event, EventBatch, batched


def event(seq: int, text: bytes = b"{}") -> Event:
    return Event(seq, f"pessoas:epoch:{seq}", text)


def seqs(batch: EventBatch) -> list[int]:
    return [one.seq for one in batch.events]


def test_a_batch_is_as_long_as_is_written_at_once_unless_one_event_is_longer() -> None:
    half, long = b"x" * (MAX_BATCH_BYTES // 2), b"x" * (2 * MAX_BATCH_BYTES)
    events = [event(n, text) for n, text in enumerate([half, half, b"x", long, b"x", b"x"], 1)]

    assert [seqs(batch) for batch in batched(events)] == [[1, 2], [3], [4], [5, 6]]
    assert [*batched([])] == []


def test_who_has_some_events_of_a_batch_gets_only_the_later_ones() -> None:
    batch = EventBatch([event(4), event(7), event(9)])

    assert batch.after(3) is batch
    assert seqs(batch.after(4)) == seqs(batch.after(6)) == [7, 9]
    assert seqs(batch.after(8)) == [9]
    assert batch.after(4) is batch.after(6)  # so that it is written only once for all who miss the same
