"""Video files: containers told by their structure, frames decoded in one sequence."""
