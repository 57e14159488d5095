"""What a run tells about itself: its report and its model card."""
