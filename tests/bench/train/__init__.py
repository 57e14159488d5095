"""What training costs beside a bare PyTorch loop, and what each option that promises speed or memory brings."""
