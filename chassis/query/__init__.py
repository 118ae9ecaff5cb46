"""What can be asked of a collection, and the cursors between its rows; `chassis.db` and `chassis.rest` both use it."""
