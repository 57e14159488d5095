"""The Bento: what it holds, its requirements, wheels, image and bill of materials."""
