"""What in a data set would make its scores untrue: checks on images, labels, ids and files."""
